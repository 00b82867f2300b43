import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './theme.css'
import './base.css'
import { App } from './app.tsx'

const page = document.getElementById('page')!
page.textContent = ''
render(<App />, page)
