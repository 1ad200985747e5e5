"""Everything that machines without internet need for some offers of a project, in one file."""
