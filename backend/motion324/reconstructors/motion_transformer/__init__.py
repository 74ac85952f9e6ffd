"""Motion 3-to-4: a transformer that sees the surface and the whole video at once, and moves every vertex.

    from motion324.reconstructors.motion_transformer.predictor import MotionPredictor, ShapePoints

    predictor = MotionPredictor.load("motion324.safetensors")
    predictor.config                                   # sizes, read off the tensors
    positions = predictor.predict(surface, points, frames)   # (T, N, 3)

Importing this package alone imports no torch; its modules do.
"""
