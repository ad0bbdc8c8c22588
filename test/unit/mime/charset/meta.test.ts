import { expect, test } from 'vitest'
import { metaCharset } from '../../../../src/mime/charset/meta.ts'
import { growth, isLinear } from '../../../support/linear.ts'

test.each<[html: string, charset: string | null]>([
  ['<meta charset=utf-8>', 'utf-8'],
  ['<META CHARSET="ISO-8859-2">', 'iso-8859-2'],
  ["<meta\tcharset = 'koi8-r' />", 'koi8-r'],
  ['<meta/charset=big5>', 'big5'],
  ['<html><head><title>x</title><meta name=a content="charset=koi8-r"><meta charset=euc-jp>', 'euc-jp'],
  ['<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', 'windows-1251'],
  [`<meta content='text/html; CHARSET = "gb2312"; x' http-equiv=content-type>`, 'gb18030'],
  ['<meta content="text/html; charset=koi8-r">', null], // says nothing without http-equiv
  ['<meta charset=koi8-r http-equiv=content-type content="charset=big5">', 'koi8-r'],
  ['<meta charset=koi8-r charset=big5>', 'koi8-r'],
  ['<!-- <meta charset=koi8-r> --><meta charset=big5>', 'big5'],
  ['<!--><meta charset=big5>', 'big5'],
  ['<!-- <meta charset=koi8-r>', null],
  ['<!doctype html "<meta charset=koi8-r"><meta charset=big5>', 'big5'],
  ['<?xml version="1.0" <meta charset=koi8-r ?><meta charset=big5>', 'big5'],
  ['<a title="<meta charset=koi8-r>"><meta charset=big5>', 'big5'],
  ['</p title="<meta charset=koi8-r>"><meta charset=big5>', 'big5'],
  ['<metadata charset=koi8-r><meta charset=big5>', 'big5'],
  ['< meta charset=koi8-r>', null],
  ['<meta charset=no-such><meta charset=big5>', 'big5'],
  ['<meta charset>', null],
  ['<meta charset="koi8-r', null],
  ['<meta charset=utf-16le>', 'utf-8'],
  ['<meta charset=utf-32>', 'utf-8'],
  ['<meta charset=x-user-defined>', 'windows-1252'],
  ['<meta charset=utf-7>', null],
  ['<meta charset=ibm037>', null],
  ['<meta charset=iso-2022-jp>', 'iso-2022-jp'],
  ['\xef\xbb\xbf<meta charset=koi8-r>', 'utf-8'],
  ['\xfe\xff<meta charset=koi8-r>', 'utf-16be'],
  ['\xff\xfe<meta charset=koi8-r>', 'utf-16le'],
  [`${' '.repeat(1005)}<meta charset=utf8>`, 'utf-8'],
  [`${' '.repeat(1006)}<meta charset=utf8>`, null], // the first 1024 octets end within it
  [`${' '.repeat(1004)}<meta charset="utf8">`, null],
  ['', null],
  ['<', null],
  ['<meta', null],
])('%j declares %s', (html, charset) => {
  expect(metaCharset(Buffer.from(html, 'latin1'))).toBe(charset)
})

test.each(['<', '<!--', '<a ', '<meta =', '<meta a="', '<meta charset', 'charset=', '</'])('time is linear for many of %j', (piece) => {
  expect(
    isLinear(
      growth(
        (html) => metaCharset(Buffer.from(html)),
        (count) => piece.repeat(count),
        20_000,
      ),
    ),
  ).toBe(true)
})
