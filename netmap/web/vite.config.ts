import { defineConfig } from 'vitest/config'
import { noteModules, writeLicences } from './build/licences.ts'

// What is built is committed and embedded in the collector: the same sources give the same bytes, names carry a hash of what is in
// the file, and every address is relative, as the page may stand behind a proxy's prefix. Nothing is inlined: the page's policy
// (Content-Security-Policy) lets no script and no style stand in a document.
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
        // A file of its own, so that a change of the page is not a change of the largest file.
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
