// Draws the figures of a page when they come into view, and lets HTMX exchange parts of pages.
// A page that never runs this is complete: figures are additions to tables.
import "htmx.org"
import { mount } from "svelte"
import "mv/theme/themes.mjs"
import { apply_theme_to_dom } from "mv/theme/index.js"
import { FIGURES } from "./figures.js"

const dark = matchMedia("(prefers-color-scheme: dark)")
const follow_theme = () => apply_theme_to_dom(dark.matches ? "dark" : "light")
follow_theme()
dark.addEventListener("change", follow_theme)

function say(box, text) {
  box.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }))
  box.dataset.mvState = "failed"
}

// Figures that show parts of one answer ask once; what follows # in their address is the part.
const answers = new Map()
async function ask(path) {
  const answer = await fetch(path)
  const data = await answer.json()
  if (!answer.ok) throw new Error(data.detail)
  return data
}

async function draw(box) {
  const { mv: kind, src } = box.dataset
  try {
    const [load, convert] = FIGURES[kind]
    const path = src.split("#")[0]
    if (!answers.has(path)) answers.set(path, ask(path))
    const [component, data] = await Promise.all([load(), answers.get(path)])
    const props = convert(data, src)
    box.replaceChildren()
    mount(component.default, { target: box, props })
    box.dataset.mvState = "ready"
  } catch (error) {
    say(box, `No figure: ${error.message}`)
  }
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue
      seen.unobserve(target)
      draw(target)
    }
  },
  { rootMargin: "300px" },
)
for (const box of document.querySelectorAll("[data-mv]")) seen.observe(box)

// three.js throws where there is no WebGL, after the component is mounted
const webgl = document.createElement("canvas").getContext("webgl2")
addEventListener("error", ({ message }) => {
  if (webgl || !/webgl/i.test(message)) return
  for (const box of document.querySelectorAll('[data-mv="Structure"]')) {
    say(box, "No figure: this browser has no WebGL. The sites are in the table below.")
  }
})

document.addEventListener("htmx:configRequest", ({ detail }) => {
  for (const name of new Set(detail.formData.keys())) {
    const given = detail.formData.getAll(name).filter((value) => value !== "")
    detail.formData.delete(name)
    for (const value of given) detail.formData.append(name, value)
  }
})
