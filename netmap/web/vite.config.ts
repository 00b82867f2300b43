import { defineConfig } from 'vitest/config'
import { noteModules, writeLicences } from './build/licences.ts'

// The build is committed and embedded in the collector. The same sources give the same bytes. The name of a file holds
// a hash of its content. Every URL is relative, because a proxy may serve the page below a prefix. Nothing is inlined,
// because the page's Content-Security-Policy forbids it.
export default defineConfig({
  base: './',
  plugins: [writeLicences()],
  build: {
    outDir: 'build/out',
    target: 'es2022',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
        // A file of its own, so that a change of the page does not change the largest file.
        codeSplitting: { groups: [{ name: 'cytoscape', test: /node_modules\/cytoscape/ }] },
      },
    },
  },
  worker: {
    format: 'es',
    plugins: () => [noteModules()],
    rolldownOptions: { output: { entryFileNames: 'assets/[name]-[hash].js' } },
  },
  test: { include: ['{src,build,e2e}/**/*.test.ts'], testTimeout: 90_000, hookTimeout: 60_000, maxWorkers: 3 },
})
