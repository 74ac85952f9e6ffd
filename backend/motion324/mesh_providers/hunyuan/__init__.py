"""Makes meshes by Tencent's Hunyuan3D-2, in this process or through its server. The registry imports it."""
