import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import { healthOf, healths, type Health } from './health.ts'

/** What colours stand for, by the thresholds of the collector. */
export const Healths = createContext<Health[]>(healths())

export function useHealth(id: string): Health {
  return healthOf(id, useContext(Healths))
}
