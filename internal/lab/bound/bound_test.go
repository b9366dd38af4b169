package bound
