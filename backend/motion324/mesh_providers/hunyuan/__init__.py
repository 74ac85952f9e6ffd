"""Meshes by Tencent's Hunyuan3D-2, in this process or through the server that comes with it."""
