/**
 * Reports whether step i is over. The last step of a window that ends now is not: what was counted in it so far is no
 * figure of a whole step. `end` is the Unix time in seconds at which the page is paused; 0 while it is live.
 */
export const finished = (s: { t: number[]; step: number }, end: number) => (i: number) =>
  end > 0 ? s.t[i]! + s.step <= end : i < s.t.length - 1
