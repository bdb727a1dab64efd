"""Contact maps side by side as a picture."""

from dashboard.figures.contact_maps import draw_maps


def test_a_row_for_each_crystal(tmp_path):
    own = [[0.0, 1.0], [1.0, 0.0]]
    crystal = {"formula": "NaCl", "atoms": [11, 17], "true": own, "predicted": own}
    maps = [crystal | {"reconstructed": own}] * 3
    path = draw_maps(tmp_path / "contact-maps.png", maps)
    one = draw_maps(tmp_path / "one.png", maps[:1])
    heights = [int.from_bytes(file.read_bytes()[20:24], "big") for file in (path, one)]
    assert heights[0] == 3 * heights[1]
