"""The one file: `torchstrap.pyz`, the program with all that it needs, for a Python that has nothing.

    #! line, and a second line that a Python shows instead of the program if the rest did not arrive
    __main__.py                          refuses old Pythons in words that they can read (front.py)
    bootstrap/zipapp/loader.py …         the few modules that see that nothing has to be done, plain text
    LICENCES.txt                         of everything that is in it
    program.sha256, program.zip          all else: our modules as they are, those of others as their wheels have them

`python -m bootstrap.zipapp` writes it. A start with nothing to do reads a directory of a dozen entries. Any other start
takes program.zip apart into `<cache>/programs/`, once, where Python keeps what it compiles; from then on even a start
with nothing to do comes from there. Where nothing can be written, program.zip is imported as it is, out of memory.

What is guaranteed: the same commit, the same list of wheels (vendored.txt) and the same SOURCE_DATE_EPOCH (or none)
give the same bytes, whatever Python and whatever zlib builds it. Nothing is compressed here: our own text is stored,
and what came in wheels is copied as it was compressed in them.
"""
