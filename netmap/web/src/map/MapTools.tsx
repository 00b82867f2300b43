import { fileName, save } from '../save.ts'
import type { MapCanvas } from './canvas.ts'
import { colours } from './colours.ts'
import './MapTools.css'

/** Buttons to zoom and to export the map, enabled when the map is drawn. */
export function MapTools({ map, ready, svg }: { map: MapCanvas | null; ready: boolean; svg: () => string }) {
  return (
    <div class="map-tools" role="group" aria-label="View of the map">
      <button
        type="button"
        disabled={!map || !ready}
        onClick={() => map?.zoom(1.25)}
        aria-label="Zoom in"
        title="Zoom in (+)"
      >
        +
      </button>
      <button
        type="button"
        disabled={!map || !ready}
        onClick={() => map?.zoom(0.8)}
        aria-label="Zoom out"
        title="Zoom out (−)"
      >
        −
      </button>
      <button type="button" disabled={!map || !ready} onClick={() => map?.fit()} title="Show all (0)">
        Fit
      </button>
      <button
        type="button"
        disabled={!map || !ready}
        onClick={() => void map?.png(colours().canvas).then((blob) => save(fileName('map', 'png'), blob))}
      >
        PNG
      </button>
      <button
        type="button"
        disabled={!map || !ready}
        onClick={() => save(fileName('map', 'svg'), new Blob([svg()], { type: 'image/svg+xml' }))}
      >
        SVG
      </button>
    </div>
  )
}
