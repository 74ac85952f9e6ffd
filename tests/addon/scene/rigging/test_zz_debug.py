import importlib, os
import bpy, numpy as np, pytest
from addon.rigged_bodies import animation_of, skinned_cloud
from addon.shapes import add_object, shown
from mathutils import Vector
import addon.scene.rigging.test_random_rigs as R


@pytest.mark.parametrize("seed", [int(s) for s in os.environ.get("SEEDS", "0").split(",")])
def test_debug(addon, seed, capsys):
    rng = np.random.default_rng(seed)
    meshes, armature = R.drawn_rig(rng)
    carrier = add_object("Carrier", None)
    for frame in (1, R.FRAMES):
        carrier.location = (0.3 * frame, 0, 0)
        carrier.rotation_euler = (0, 0, 0.1 * frame)
        if seed % 2:
            carrier.keyframe_insert("location", frame=frame)
            carrier.keyframe_insert("rotation_euler", frame=frame)
    armature.parent = carrier
    armature.location, armature.rotation_euler = rng.normal(0, 1, 3), rng.normal(0, 1, 3)
    armature.scale = Vector((1, 1, -1 if seed % 3 == 2 else 1)) * float(np.exp(rng.normal(0, 0.5)))
    for pose in armature.pose.bones:
        R.posed(pose, rng, 0.4, 0.2, 0.2 if seed % 4 == 3 else 0.0)
    bpy.context.scene.frame_set(1)
    positions = R.danced(meshes, armature, rng)
    R.burdened(meshes, armature, rng)
    settings = {"scale": bool(rng.random() < 0.5), "locations": ("auto", "root", "unconnected")[rng.integers(0, 3)]}
    animations = [animation_of(addon, obj, each) for obj, each in zip(meshes, positions, strict=True)]
    own_rig, keeping = addon("scene.rigging.own_rig"), addon("scene.rigging.keeping_bones")
    solver = importlib.import_module("motion324.rigging.rig")
    K = importlib.import_module("motion324.rigging.kinematics")
    st = importlib.import_module("motion324.core.options.rig_settings").RigSettings(**settings)
    rig = own_rig.read_own_rig(animations, st.armature)
    rigged = solver.rig_trajectory(rig.positions, np.zeros((0, 3), int), st, rig.read.armature, rig.skin)
    kept = keeping.keep_on_armature(animations, rig, rigged.motion, bool(rng.random() < 0.5))
    A, m = rig.read.armature, rigged.motion
    mats = K.Chain(A).place(K.Poses.keyed(A, m)).matrices
    with capsys.disabled():
        print("\nSEED", seed, settings, [w for w in kept.warnings])
        for k in range(R.FRAMES):
            bpy.context.scene.frame_set(1 + k)
            bpy.context.view_layer.update()
            bad = set()
            for j, n in enumerate(A.names):
                p = armature.pose.bones[n]
                d = np.abs(np.array(p.matrix) - mats[k, j]).max()
                if d > 1e-3:
                    bad.add(j)
                    if A.parents[j] not in bad:
                        b = p.bone
                        print(
                            "frame",
                            k,
                            n,
                            "off %.3f" % d,
                            "turned",
                            m.turned[j],
                            "moved",
                            m.moved[j],
                            "scaled",
                            m.scaled[j],
                            "connect",
                            b.use_connect,
                            "inh",
                            b.use_inherit_rotation,
                            b.inherit_scale,
                            "loc",
                            b.use_local_location,
                            "weights",
                            b.use_deform,
                            "locks",
                            tuple(p.lock_rotation),
                            p.lock_rotation_w,
                            p.lock_rotations_4d,
                            tuple(p.lock_location),
                            p.rotation_mode,
                            [(c.type, c.mute) for c in p.constraints],
                        )
                        print(
                            "   basis",
                            np.round(np.array(p.matrix_basis.decompose()[0]), 3),
                            np.round(p.matrix_basis.to_scale(), 3),
                            "want loc",
                            np.round(m.location[k, j], 3),
                            np.round(m.scale[k, j], 3),
                            "q",
                            np.round(p.matrix_basis.to_quaternion(), 3),
                            np.round(m.rotation[k, j], 3),
                            "armature:",
                            np.round(A.location[j], 3),
                            np.round(A.scale[j], 3),
                            np.round(A.rotation[j], 3),
                        )
            if bad:
                break
