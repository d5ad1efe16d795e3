import react from '@vitejs/plugin-react'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

// Holdpoint sends scripts and styles as they lie here, to whoever takes gzip.
const packed: Plugin = {
  name: 'packed',
  apply: 'build',
  closeBundle() {
    for (const name of readdirSync('dist/assets')) {
      if (!/\.(js|css)$/.test(name)) continue
      const file = `dist/assets/${name}`
      writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }))
    }
  },
}

// Everything the page needs is served by Holdpoint itself under `default-src 'self'`: nothing is inlined.
export default defineConfig({
  plugins: [react(), packed],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: true },
  server: { proxy: { '/v1': process.env.HOLDPOINT_URL ?? 'http://127.0.0.1:4700' } },
})
