import { limit, ours, type Family } from '../family.ts'
import { attachmentFile } from './inputs.ts'

export const family: Family = {
  name: 'mime',
  title: 'MIME: messages taken apart',
  workloads: [
    {
      name: 'base64 25 MB',
      unit: 'MB/s',
      amount: (quick) => (quick ? 5e6 : 25e6),
      does: 'read, find parts, decode base64, count octets',
      subjects: [
        ours('wirepost', 'mime/stream.js'),
        limit('native decode', 'mime/limit.js', 'base64'),
        limit('bare reading', 'mime/limit.js', 'read'),
      ],
      goals: [
        { against: 'native decode', figure: 'rate', floor: 0.7, goal: 0.85 },
        { against: '', figure: 'peak', floor: 16, goal: 12 },
      ],
      prepare: (quick) => attachmentFile(quick ? 5e6 : 25e6),
    },
  ],
}
