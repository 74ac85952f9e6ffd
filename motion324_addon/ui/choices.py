"""What the menus of the settings offer: (identifier, name, tooltip), as Blender's enumerations take them.

Identifiers that `motion324.core.options.AnimateOptions` knows too are the same there.
"""

from __future__ import annotations

from motion324.core.options import PRECISIONS

from ..scene.playing import timing

MASK_FILE = "file"
MASKS = (
    ("auto", "Automatic", "Alpha if the video has it, then a plain background, then background removal"),
    ("as-is", "As It Is", "The video is already cut out: its alpha channel, or one colour around the object"),
    ("alpha", "Alpha", "The video's own alpha channel"),
    ("plain", "Plain Background", "A background of one colour: white, black, a green screen or any other"),
    ("rembg", "Background Removal", "A neural network finds the foreground; for any background"),
    ("sam2", "SAM 2.1", "Follows what stands out in the first frame; needs SAM 2.1 in the backend's Python"),
    (MASK_FILE, "Mask Sequence", "A mask video, or a folder of mask pictures, white on the object"),
)

VIEW_ANGLES, VIEW_CAMERA, VIEW_VIEWPORT = "angles", "camera", "viewport"
VIEWS = (
    ("auto", "Automatic", "Finds from where the video sees the mesh in its first frame"),
    ("front", "Front", "The video sees the mesh from its front (-Y)"),
    (VIEW_ANGLES, "Angles", "The video sees the mesh from the angles below"),
    (VIEW_CAMERA, "Active Camera", "The video sees the mesh as the scene's active camera does"),
    (VIEW_VIEWPORT, "Viewport", "The video sees the mesh as the 3D viewport does when the job is started"),
)

TIMINGS = (
    (timing.KEEP_FRAMES, "Keep Frames", "Each frame of the video is one frame of the scene"),
    (timing.KEEP_DURATION, "Keep Duration", "A second of the video is a second of the scene"),
    (timing.CUSTOM_FPS, "Custom", "The video's frames are played at a frame rate of your own"),
)

COMPACT_MODEL, DEFORMATION_FIT, MOTION_TRANSFORMER = "node-model", "deformation-fit", "motion-transformer"
RECONSTRUCTORS = (
    ("auto", "Automatic", "The compact model, refined by the deformation fit; works everywhere"),
    (COMPACT_MODEL, "Compact Model", "A small trained network by itself, in about half the time of Automatic"),
    (DEFORMATION_FIT, "Deformation Fit", "Fits the mesh to the video, in half the time of Automatic; needs no weights"),
    (MOTION_TRANSFORMER, "Motion Transformer", "A trained network; needs its weights, and a GPU to be fast"),
)
QUALITIES = (
    ("draft", "Draft", "A quick look"),
    ("standard", "Standard", "For nearly all work"),
    ("fine", "Fine", "Takes longer, and follows small motion more closely"),
)
DEVICES = (
    ("auto", "Automatic", "The GPU if there is one that PyTorch can use, else the CPU"),
    ("cuda", "GPU", "The first NVIDIA GPU"),
    ("cpu", "CPU", "Works everywhere, and takes long"),
)
_PRECISION_TEXTS = {
    "auto": ("Automatic", "The fastest that keeps the result on the chosen device"),
    "bfloat16": ("bfloat16", "Fast on recent GPUs"),
    "float16": ("float16", "Fast on older GPUs"),
    "float32": ("float32", "Exact, and slow"),
}
PRECISION_ITEMS = tuple((name, *_PRECISION_TEXTS[name]) for name in PRECISIONS)
