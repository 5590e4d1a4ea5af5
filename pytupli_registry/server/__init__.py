"""The Hub server: repositories with history, blobs and private organizations, over the Hugging Face Hub's protocol.

Layers, each importing only from those to its right::

    app → routes | web → dependencies → services → database | objects → wire → settings → errors
"""
