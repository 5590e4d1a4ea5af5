"""Reading repositories with git itself: ``git clone`` and ``git fetch`` over smart HTTP."""
