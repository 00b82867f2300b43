import { defineConfig } from 'vitest/config'

// Not a test: it measures, and the speed of a machine does not make a change right or wrong.
export default defineConfig({
  test: {
    include: ['budget/budget.ts'],
    root: '.',
    testTimeout: 600_000,
    hookTimeout: 120_000,
    reporters: ['default'],
    silent: false,
  },
})
