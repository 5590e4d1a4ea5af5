"""Removing what nothing refers to any more, while the server runs.

Why nothing is lost:

* What is young stays. Everything that a request writes carries the time at which it was touched, and nothing
  younger than the grace period goes. While a server runs, the period is an hour or more, and no request touches
  something in one transaction and refers to it in another so much later without touching it again
  (``intake.hold_contents``).
* What is reached stays. Roots are all *rows* of commits, not only what branches point at. A new commit reaches
  what it touched itself, or what the commit below it reaches, which is a root, too.
* A commit goes in two steps: marked when nothing leads to it, removed a grace period later, if nothing leads to
  it then. That is decided, and done, with all branches of the repository and the repository itself locked: who
  wants to commit, or to make a branch, waits, and then finds the commit gone or still there (``refs.create_ref``).
  The same locks are held while blobs are taken from a repository, and new commits are looked at first.
* Every row is locked before it is removed, and looked at again once it is locked; rows that others hold are left
  for the next time, so that gc neither waits for requests nor ends in a deadlock with them.
* The bytes of a blob go after its row was deleted and before that is committed. An upload of the same bytes either
  came first and holds the row, or waits for it and then stores the bytes anew (``blobs.publish_all``). Dying in
  between leaves a row without bytes that no repository has; the next upload or gc mends that.
* Objects without a row are the remains of uploads that died. gc makes the row itself before it removes the bytes:
  so even here an upload of the same bytes has to wait.
"""
