import { readRecording, type RecordedGc, type Recording, type Sample } from 'heapwatch'

const recording: Promise<Recording> = readRecording('a.hwrec')
const samples: Promise<Sample[]> = recording.then((file) => file.samples({ since: Date.now() - 60_000 }))
const longest: Promise<RecordedGc | undefined> = recording.then((file) => file.gcs().find(({ time, duration }) => time > 0 && duration > 100))
const count: Promise<number> = recording.then((file) => file.pauses().major.count)

// @ts-expect-error: the path is missing
readRecording()
// @ts-expect-error: a recording is not written to
recording.then((file) => { file.alive = false })

export { samples, longest, count }
