//! The images that this node knows: which has a shell, under which user it runs, what its main process does.
