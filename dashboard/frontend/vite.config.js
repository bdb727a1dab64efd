// One entry, site.js, and one chunk for each kind of figure, which a page loads when it shows one.
import { fileURLToPath } from "node:url"
import { svelte } from "@sveltejs/vite-plugin-svelte"
import { defineConfig } from "vite"

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  base: "/static/bundle/",
  publicDir: false,
  plugins: [svelte({ compilerOptions: { dev: false } })],
  // HDF5 trajectories are never read here: 4.8 MB less
  resolve: {
    alias: {
      h5wasm: here("./src/no-hdf5.js"),
      mv: here("./node_modules/matterviz/dist"), // single components, not whole families
    },
  },
  build: {
    outDir: here("../static/bundle"),
    emptyOutDir: true,
    license: { fileName: "licences.md" }, // of everything that is built in; shipped with it
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input: here("./src/site.js"),
      output: {
        entryFileNames: "site.js",
        chunkFileNames: "[name]-[hash].js",
        assetFileNames: "[name]-[hash][extname]",
      },
    },
  },
})
