"""Makes the files that ArchivesTests reads: the same numbers in every element type and order."""

import numpy as np

base = np.arange(24).reshape(2, 3, 4)
types = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
arrays = {f"little/{t.replace('?', 'b1')}": (base % 2 == 1) if t == "?" else base.astype(f"<{t}") for t in types}
arrays |= {f"big/{t}": base.astype(f">{t}") for t in types[2:] if not t.endswith("1")}
arrays |= {f"fortran/{t}": np.asfortranarray(base.astype(f"<{t}")) for t in ["u1", "f2", "f4", "f8"]}
arrays["scalar"] = np.float32(7)
arrays["empty"] = np.zeros((0, 5), np.float32)
np.savez("stored.npz", **arrays)
np.savez_compressed("deflated.npz", **arrays)
np.save("plain.npy", base.astype("<f4"))
with open("version3.npy", "wb") as file:
    np.lib.format.write_array(file, base.astype("<i4"), version=(3, 0))
