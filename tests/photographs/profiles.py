"""Colour profiles (ICC) that are made here, byte by byte: for RGB, grey and printers' inks."""

import struct

import numpy as np

# The primaries and the white point of some colour spaces, as chromaticities (x, y).
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
WHITE_D65 = (0.3127, 0.3290)
WHITE_D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def matrix_of(primaries):
    """Return the matrix (3, 3) from linear RGB to XYZ, adapted to D50 as profiles are."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([WHITE_D65[0] / WHITE_D65[1], 1, (1 - sum(WHITE_D65)) / WHITE_D65[1]])
    to_xyz = xyz * np.linalg.solve(xyz, white)
    adapt = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ WHITE_D50) / (BRADFORD @ white)) @ BRADFORD
    return adapt @ to_xyz


def rgb_profile(primaries, gamma=2.2):
    """Return the profile of an RGB space with these primaries, D65, and one gamma."""
    matrix, curve = matrix_of(primaries), _gamma(gamma)
    tags = {f"{name}XYZ": _xyz(matrix[:, k]) for k, name in enumerate("rgb")}
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**tags, **{f"{name}TRC": curve for name in "rgb"}})


def grey_profile(gamma):
    """Return the profile of grey pixels with a gamma."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {"kTRC": _gamma(gamma)})


def ink_profile(paper=240, strength=0.8):
    """Return a printer's profile: a table of 2 x 2 x 2 x 2 colours in Lab. The inks are weaker than pure colours."""
    table = bytearray()
    for inks in np.ndindex(2, 2, 2, 2):
        c, m, y, k = (strength * ink for ink in inks)
        lightness = paper * (1 - 0.35 * c) * (1 - 0.45 * m) * (1 - 0.1 * y) * (1 - k)
        a, b = 128 + 60 * m - 35 * c, 128 + 70 * y - 45 * c
        table += bytes(np.clip([lightness, a, b], 0, 255).astype(np.uint8))
    ramp = bytes(range(256))
    head = struct.pack(">4sI4B9i", b"mft1", 0, 4, 3, 2, 0, *[65536 if i % 4 == 0 else 0 for i in range(9)])
    return _profile(b"prtr", b"CMYK", b"Lab ", {"A2B0": head + ramp * 4 + bytes(table) + ramp * 3})


def _xyz(values):
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in values))


def _gamma(gamma):
    return struct.pack(">4sIIH", b"curv", 0, 1, round(gamma * 256))


def _profile(kind, space, connection, tags):
    """Return a whole profile of version 2.1 with these tags."""
    tags = {"wtpt": _xyz(WHITE_D50), "desc": struct.pack(">4sII5s", b"desc", 0, 5, b"test\0") + bytes(78), **tags}
    directory, data, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        directory += struct.pack(">4sII", name.encode(), start + len(data), len(content))
        data += content
    size = start + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02100000, kind, space, connection)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", *(round(value * 65536) for value in WHITE_D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + data
