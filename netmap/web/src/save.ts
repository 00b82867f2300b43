/** Downloads the content as a file. */
export function save(name: string, content: Blob) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** A file name with the time in it, so that a later export does not overwrite an earlier one. */
export function fileName(what: string, type: string): string {
  return `netconn-${what}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.${type}`
}
