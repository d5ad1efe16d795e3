import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// Everything the page needs is served by Holdpoint itself under `default-src 'self'`: nothing is inlined.
export default defineConfig({
  plugins: [react()],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: true },
  server: { proxy: { '/v1': process.env.HOLDPOINT_URL ?? 'http://127.0.0.1:4700' } },
})
