"""The only place that knows HDF5; h5py is imported when a file is opened."""
