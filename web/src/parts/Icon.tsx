// The few pictures there are. Each stands beside its word; none carries a meaning alone.

const SHAPES = {
  open: 'M3.2 8.4l3 3 6.6-6.8',
  waiting: 'M8 4.2V8l2.6 1.7M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z',
  shut: 'M4 4l8 8M12 4l-8 8',
  running: 'M5 3.2v9.6L13 8z',
  held: 'M5.5 3.5v9M10.5 3.5v9',
  back: 'M6.5 3.5L2.5 7.5l4 4M3 7.5h6.5a4 4 0 0 1 0 6H8',
  unknown: 'M5.6 6a2.4 2.4 0 1 1 3.5 2.1c-.7.4-1.1.8-1.1 1.7M8 12.3v.4',
  none: 'M4 8h8',
  copy: 'M6 5.5h7.5V14H6zM10 5.5V2H2.5v8.5H6',
  download: 'M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10',
  next: 'M3 8h10M9 4l4 4-4 4',
  live: 'M8 8h.01M5 11a4.2 4.2 0 0 1 0-6M11 5a4.2 4.2 0 0 1 0 6M2.9 13a7 7 0 0 1 0-10M13.1 3a7 7 0 0 1 0 10',
} as const

export type IconName = keyof typeof SHAPES

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={SHAPES[name]} />
    </svg>
  )
}
