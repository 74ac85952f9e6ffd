"""Many meshes after many videos: resumable, in several processes, one result folder for each."""
