/**
 * One JSON object as a line. Characters that move a cursor or turn the reading direction are written as `\uXXXX`, which changes no value but what
 * a terminal makes of it (CWE-117); JSON itself escapes only those below U+0020.
 */
export function jsonLine(value: object): string {
  const unsafe = /[\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g
  return `${JSON.stringify(value).replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
}
