/** Why a file operation failed, in words. Without the path, which the caller knows. */
export function fileTrouble(error: unknown): string {
  const code = errorCode(error)
  return CAUSES[code] ?? (code === '' ? 'it failed' : `it failed (${code})`)
}

/** `code` of a Node error, or '' for something else. */
export function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'a file of that name is in the way',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file system takes no file of that size',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  EIO: 'the device reports an error',
  ELOOP: 'too many symbolic links',
  ERR_ACCESS_DENIED: 'the permission model of Node does not allow it',
  ERR_INVALID_ARG_VALUE: 'it is not a path',
}
