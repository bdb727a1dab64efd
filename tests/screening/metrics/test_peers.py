"""The same numbers as the libraries behind the authors' code, where these are installed.

pip install point-cloud-utils superpose3d open3d average-minimum-distance
pip install --no-deps matminer
"""

import numpy as np
import pytest

from screening.metrics import invariants
from screening.metrics.legacy import fingerprints, points, superposition


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(6, 3)) * 3, rng.normal(size=(6, 3)) * 3) for _ in range(5)]


def test_points(clouds):
    pcu = pytest.importorskip("point_cloud_utils")
    for a, b in clouds:
        costs = pcu.pairwise_distances(a, b)
        plan = pcu.sinkhorn(np.ones(6), np.ones(6), costs, eps=1e-3)
        assert points.sinkhorn(a, b) == pytest.approx((costs * plan).sum(), abs=1e-9)
        assert points.chamfer(a, b) == pytest.approx(pcu.chamfer_distance(a, b), abs=1e-9)
        assert points.hausdorff(a, b) == pytest.approx(pcu.hausdorff_distance(a, b), abs=1e-9)


def test_superposition(clouds):
    superpose = pytest.importorskip("superpose3d").Superpose3D
    for a, b in clouds:
        expected = superpose(a, 2 * b, None, True)[0]
        assert superposition.superpose_rmsd(a, b) == pytest.approx(expected, abs=1e-9)


def test_closest_points(clouds):
    open3d = pytest.importorskip("open3d")
    registration = open3d.pipelines.registration
    for a, b in clouds:
        found = registration.registration_icp(
            open3d.geometry.PointCloud(open3d.utility.Vector3dVector(b / 2)),
            open3d.geometry.PointCloud(open3d.utility.Vector3dVector(a / 2)),
            superposition.MAX_DISTANCE,
            np.eye(4),
            registration.TransformationEstimationPointToPoint(),
            registration.ICPConvergenceCriteria(max_iteration=superposition.MAX_ITERATIONS),
        )
        assert found.fitness == 1
        assert superposition.icp_rmsd(a / 2, b / 2) == pytest.approx(found.inlier_rmse, abs=1e-9)


def test_invariants(perovskite, wrong_perovskite):
    amd = pytest.importorskip("amd")
    peers = []
    for structure in (perovskite, wrong_perovskite):
        crystal = amd.PeriodicSet(structure.cart_coords, structure.lattice.matrix)
        peers.append(amd.PDD(crystal, 100))
        ours = invariants.pdd(structure)
        assert ours.weights == pytest.approx(peers[-1][:, 0], abs=1e-9)
        assert ours.distances == pytest.approx(peers[-1][:, 1:], abs=1e-9)
        assert invariants.amd(structure) == pytest.approx(amd.AMD(crystal, 100), abs=1e-9)
    found = invariants.pdd_distance(perovskite, wrong_perovskite)
    assert found == pytest.approx(amd.EMD(*peers), abs=1e-7)


def test_fingerprints(perovskite, wrong_perovskite):
    site = pytest.importorskip("matminer.featurizers.site")
    from matminer.featurizers.structure import SiteStatsFingerprint

    peer = SiteStatsFingerprint(
        site.CrystalNNFingerprint.from_preset("ops", distance_cutoffs=None, x_diff_weight=0),
        stats=("mean", "std_dev", "minimum", "maximum"),
    )
    first, second = (np.array(peer.featurize(s)) for s in (perovskite, wrong_perovskite))
    found = fingerprints.fingerprint_distance(perovskite, wrong_perovskite)
    assert found == pytest.approx(np.linalg.norm(first - second), abs=1e-9)


def test_orbital_fields_of_main_group_elements(perovskite):
    """Of transition metals matminer takes the wrong shells from pymatgen since it sorts them."""
    matrix = pytest.importorskip("matminer.featurizers.structure.matrix")
    salt = perovskite.copy().replace_species({"Ti": "Si"})
    expected = matrix.OrbitalFieldMatrix().featurize(salt.copy())
    assert fingerprints._orbital_field(salt) == pytest.approx(expected, abs=1e-9)
