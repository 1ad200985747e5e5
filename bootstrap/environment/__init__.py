"""What is installed: interpreter, virtual environment, links, generations, verification."""
