// The build: one page and its assets, each also compressed, into the folder that a node serves.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const OUT = "../conurb/web_dist";
const COMPRESSED = /\.(js|mjs|css|html|svg|json|geojson|webmanifest)$/;

/** Write `.br` and `.gz` beside what compresses, so that the node never has to. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle(options) {
      const root = options.dir ?? OUT;
      for (const folder of [root, join(root, "assets")]) {
        for (const entry of readdirSync(folder, { withFileTypes: true })) {
          if (!entry.isFile() || !COMPRESSED.test(entry.name)) continue;
          const path = join(folder, entry.name);
          const bytes = readFileSync(path);
          const quality = { [constants.BROTLI_PARAM_QUALITY]: 9 };
          writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: quality }));
          writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        }
      }
    },
  };
}

const node = process.env["CONURB_URL"] ?? "http://127.0.0.1:8080";
const proxied = [
  "/ngsi-ld",
  "/ogc",
  "/map",
  "/live",
  "/region",
  "/contexts",
  "/version",
  "/health",
  "/systems",
  "/warnings",
  "/tenants",
];

export default defineConfig({
  plugins: [svelte(), compressed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    // MapLibre is one module of a megabyte; it is loaded beside the page, not before it.
    chunkSizeWarningLimit: 1200,
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, node])) },
});
