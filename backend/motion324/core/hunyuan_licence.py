"""What Hunyuan3D-2's licence restricts."""

LICENCE = (
    "Hunyuan3D-2 is under the Tencent Hunyuan 3D 2.0 Community License, which does not apply in the European Union, "
    "the United Kingdom and South Korea: it permits nothing there. Elsewhere it has an acceptable use policy, and very "
    "large services need a licence of their own. "
    "Read it at https://huggingface.co/tencent/Hunyuan3D-2/blob/main/LICENSE."
)
