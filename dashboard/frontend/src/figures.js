// What the API answers -> the properties of a component of matterviz.

const sum = (amounts) => Object.values(amounts).reduce((total, amount) => total + amount, 0)

function structure(data) {
  return { structure: data, style: "height: 100%; border-radius: 0", allow_file_drop: false }
}

function hull(data, source) {
  if (data.chemsys.split("-").length > 4) {
    throw new Error("A hull of more than four elements has no picture: see the table.")
  }
  const entries = data.entries
    .filter((entry) => entry.outlier === null)
    .map((entry) => ({ ...entry, height: data.pressure ? entry.enthalpy_per_atom : entry.energy_per_atom }))
    .map((entry) => ({
      entry_id: entry.entry_id,
      composition: entry.composition,
      energy: entry.height * sum(entry.composition),
      energy_per_atom: entry.height,
      e_form_per_atom: entry.formation_energy_per_atom,
      e_above_hull: entry.energy_above_hull,
      is_stable: entry.energy_above_hull <= 1e-6,
      reduced_formula: entry.formula,
      name: entry.formula,
    }))
  const ring = new URL(source, location.href).searchParams.get("ring")
  return {
    entries,
    highlighted_entries: ring ? [ring] : [],
    max_hull_dist_show_phases: 0.3,
    enable_structure_preview: false,
    style: "height: 100%; width: 100%",
  }
}

function phonons(data) {
  const label = (text) => text.replace("GAMMA", "Γ").replace("_", "")
  const indices = data.ticks.map((tick) =>
    data.distances.findIndex((distance) => Math.abs(distance - tick) < 1e-4),
  )
  const names = data.labels.map(label)
  const at = new Map(indices.map((index, i) => [index, names[i]]))
  const branches = indices.slice(1).map((end, i) => ({
    start_index: indices[i],
    end_index: end,
    name: `${names[i]}-${names[i + 1]}`,
  }))
  const band_structs = {
    recip_lattice: { matrix: data.reciprocal_lattice },
    qpoints: data.qpoints.map((frac_coords, i) => ({
      label: at.get(i) ?? null,
      frac_coords,
      distance: data.distances[i],
    })),
    branches,
    labels_dict: Object.fromEntries(indices.map((index, i) => [names[i], data.qpoints[index]])),
    distance: data.distances,
    nb_bands: data.frequencies[0].length,
    bands: data.frequencies[0].map((_, band) => data.frequencies.map((row) => row[band])),
    has_imaginary_modes: data.min_frequency < -data.tolerance,
  }
  const doses = {
    type: "phonon",
    frequencies: data.dos_frequencies,
    densities: data.dos_densities,
  }
  return { band_structs, doses, style: "height: 100%" }
}

function diffraction(data) {
  const hkls = data.hkls.map((family) => family.map((hkl) => ({ hkl })))
  // The axis ends at the first and the last peak: peaks of nothing at the ends of the pattern keep
  // the others' names off the frame.
  const around = (values, first, last = first) => [first, ...values, last]
  return {
    patterns: {
      x: around(data.x, 0, 90),
      y: around(data.y, 0),
      hkls: around(hkls, []),
      d_hkls: around(data.d_hkls, 0),
    },
    wavelength: data.wavelength,
    annotate_peaks: 5,
    allow_file_drop: false,
    style: "height: calc(100% - 16px)",
  }
}

// Cartesian -> fractional: the rows of the cell are its vectors.
function inverse([a, b, c]) {
  const cross = (u, v) => [0, 1, 2].map((i) => u[(i + 1) % 3] * v[(i + 2) % 3] - u[(i + 2) % 3] * v[(i + 1) % 3])
  const columns = [cross(b, c), cross(c, a), cross(a, b)]
  const volume = a.reduce((sum, x, i) => sum + x * columns[0][i], 0)
  return [0, 1, 2].map((row) => columns.map((column) => column[row] / volume))
}

function crystal(symbols, cell, positions) {
  const lengths = cell.map((vector) => Math.hypot(...vector))
  const angle = (i, j) => {
    const dot = cell[i].reduce((sum, x, k) => sum + x * cell[j][k], 0)
    return (Math.acos(dot / lengths[i] / lengths[j]) * 180) / Math.PI
  }
  const [a, b, c] = lengths
  const inner = inverse(cell)
  const volume = Math.abs(1 / inner[0].reduce((sum, x, i) => {
    const [p, q] = [inner[1], inner[2]]
    return sum + x * (p[(i + 1) % 3] * q[(i + 2) % 3] - p[(i + 2) % 3] * q[(i + 1) % 3])
  }, 0))
  return {
    lattice: {
      matrix: cell, pbc: [true, true, true], a, b, c, volume,
      alpha: angle(1, 2), beta: angle(0, 2), gamma: angle(0, 1),
    },
    sites: positions.map((xyz, i) => ({
      species: [{ element: symbols[i], occu: 1, oxidation_state: 0 }],
      xyz,
      abc: [0, 1, 2].map((k) => xyz.reduce((sum, x, j) => sum + x * inner[j][k], 0)),
      label: symbols[i],
      properties: {},
    })),
  }
}

function trajectory(data) {
  const frames = data.frames.map(({ step, cell, positions }) => ({
    step,
    structure: crystal(data.symbols, cell, positions),
    metadata: { energy_per_atom: data.energy_per_atom[step], force_max: data.fmax[step] },
  }))
  return {
    trajectory: { frames },
    display_mode: "structure",
    show_controls: "always",
    allow_file_drop: false,
    current_step_idx: frames.length - 1,
    style: "height: 100%; --traj-min-height: 0",
  }
}

// Middle tones, readable on light and dark ground.
const TONES = { start: "#7b61c9", kept: "#3f7fe0", stopped: "#8a97a5", good: "#1f9468" }

function flow(data, source) {
  const { nodes, links } = data[source.split("#")[1]]
  return {
    data: {
      nodes: nodes.map(({ id, label, kind }) => ({ id, label, color: TONES[kind] })),
      links: links.map(({ source, target, n }) => ({ source, target, value: n })),
    },
    node_label: ({ label, value }) => `${label} ${value.toLocaleString("en")}`,
    node_align: "left",
    node_width: 12,
    node_padding: 18,
    link_color_mode: "target",
    padding: { t: 12, b: 12, l: 10, r: 220 }, // every name is right of its node: see site.css
    style: "height: 100%; --sankey-font-size: 12.5px; --sankey-label-halo: var(--ground)",
  }
}

export const FIGURES = {
  Sankey: [() => import("mv/plot/sankey/Sankey.svelte"), flow],
  Trajectory: [() => import("mv/trajectory/Trajectory.svelte"), trajectory],
  Structure: [() => import("mv/structure/Structure.svelte"), structure],
  ConvexHull: [() => import("mv/convex-hull/ConvexHull.svelte"), hull],
  BandsAndDos: [() => import("mv/spectral/BandsAndDos.svelte"), phonons],
  XrdPlot: [() => import("mv/xrd/XrdPlot.svelte"), diffraction],
}
