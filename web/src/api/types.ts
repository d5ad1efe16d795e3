export type Instant = string
export type Digest = string
export type Light = 'open' | 'waiting' | 'shut'

export interface Refusal {
  type?: string
  title?: string
  status: number
  code: string
  detail: string
  unblock?: string
  facts?: unknown
}

export type Refusals = Partial<Record<string, Pick<Refusal, 'code' | 'detail' | 'unblock'>>>

export interface Me {
  handle: string
  name: string
  roles: string[]
  csrf: string
  refusals?: Refusals
}

export interface SetupAccount {
  handle: string
  name: string
  roles?: string[]
  expires?: Instant
  password_rule?: string
}

export interface Change {
  path: string
  from: unknown
  to: unknown
}

export interface GateCounts {
  open: number
  waiting: number
  shut: number
}

export interface BoardNext {
  release: string
  version: string
  gates: GateCounts
  headline?: string
  verdict?: Light
  run?: string
}

export interface BoardCell {
  release?: string
  version?: string
  since?: Instant
  state: string
  run?: string
  next?: BoardNext
}

export interface BoardEnvironment {
  name: string
  production: boolean
  zone?: string
}

export interface BoardRow {
  service: string
  team?: string
  cells: Record<string, BoardCell | undefined>
}

export interface Board {
  environments: BoardEnvironment[]
  rows: BoardRow[]
  as_of: Instant
  next_cursor?: string | null
}

export interface Atom {
  text: string
  light: Light
  code?: string
  unblock?: string
}

export interface Gate {
  gate: string
  title: string
  state: Light
  code?: string
  sentence: string
  unblock?: string
  atoms: Atom[]
}

export interface GateReport {
  release: string
  environment: string
  manifest_digest: Digest
  evidence_root: Digest
  evidence?: Digest[]
  at: Instant
  verdict: Light
  headline?: string
  next_start?: Instant
  gates: Gate[]
}

export interface ComponentPin {
  digest: Digest
  version: string
}

export interface Manifest {
  service: string
  version: string
  components: Record<string, ComponentPin>
  work_items: string[]
  config: Record<string, string>
  triggers: unknown[]
  definition: { service: Digest; pipeline: Digest }
}

export interface Author {
  person?: string
  handle?: string
  commits: string[]
}

export interface Evidence {
  kind: string
  digest: Digest
  subject: Digest
  at: Instant
  signer: string
  summary: string
  revoked?: boolean
}

export interface Weakness {
  ids: string[]
  name: string
  package: string
  version: string
  class: string
  fixed?: string
}

export interface WeaknessRow {
  weakness: Weakness
  new: boolean
  /** Identifiers of waivers that name it, whether they hold or not. */
  waivers: string[]
}

export interface WeaknessSubject {
  what: string
  subject: Digest
  format: string
  components: number
  source: Digest
  at: Instant
  judged: { at: Instant; counts: Record<string, number>; found: WeaknessRow[]; new: string[] } | null
}

export interface WaiverRow {
  id: string
  advisory: string
  package: string
  environments: string[]
  services: string[]
  by?: string
  reason?: string
  from: Instant
  until: Instant
  state: 'holds' | 'expired' | 'withdrawn'
}

export interface Change {
  id: string
  way: 'forward' | 'back'
  rule: string
  severity: 'breaking' | 'unknown' | 'risky'
  place: string
  message: string
  consumers?: { name: string; requests: number; last?: Instant }[]
  consumers_total: number
  interface: string
  versions: string[]
  /** Whether somebody bears it now. */
  borne: boolean
}

export interface CompatibilityOf {
  environment: string
  asked: string[]
  described: { component: string; interface: string; format: string; subject: Digest; source: Digest }[]
  compared: { interface: string; format: string; version: string; role: string; verdict: string; counts: Record<string, number> }[]
  changes: Change[]
  consumers: { consumer: string; interface: string; breaking: string[]; risky: string[]; last: Instant | null }[]
  observed: { interface: string; logs: number; from: Instant; until: Instant }[]
}

export interface CompatibilityView {
  environments: CompatibilityOf[]
  refusals?: Refusals
}

export interface WeaknessView {
  database: { whole: Instant | null; last: number; judged: number } | null
  subjects: WeaknessSubject[]
  waivers: WaiverRow[]
  refusals?: Refusals
}

export interface Approval {
  handle: string
  role?: string
  environment: string
  at: Instant
  state: 'given' | 'rejected' | 'withdrawn'
  valid: boolean
  void_because?: string
  comment?: string
  manifest_digest?: Digest
}

export interface Standing {
  manifest_digest: Digest
  at: Instant
  version?: string
  release?: string
  handle?: string
}

export interface ReleaseEnvironment {
  name: string
  production: boolean
  zone?: string
  state?: string
  run?: string
  wanted_by?: string
  running?: Standing
  last_approved?: Standing
  report: GateReport
  refusals?: Refusals
}

export interface RunSummary {
  id: string
  purpose: string
  release?: string
  service: string
  version: string
  environment?: string
  state: string
  result?: string
  started: Instant
  finished?: Instant
  by?: string
  cause?: Cause
}

export interface ManifestVersion {
  digest: Digest
  at: Instant
  by?: string
  diff: Change[]
}

/** A vote that was refused for who gave it, however often. */
export interface RefusedVote {
  handle: string
  environment: string
  word: string
  code: string
  count: number
  at: Instant
  manifest_digest: Digest
}

export interface Release {
  id: string
  service: string
  version: string
  state: string
  closure?: string
  superseded_by?: string
  created_at?: Instant
  created_by?: string
  manifest: Manifest
  manifest_digest: Digest
  authors: Author[]
  work_items: string[]
  evidence: Evidence[]
  approvals: Approval[]
  refused_votes?: RefusedVote[]
  environments: ReleaseEnvironment[]
  runs: RunSummary[]
  history: ManifestVersion[]
  refusals?: Refusals
}

export interface ReleaseSummary {
  id: string
  service: string
  version: string
  state: string
  closure?: string
  created_at?: Instant
  manifest_digest?: Digest
}

export interface Difference {
  from: Digest
  to: Digest
  changes: Change[]
}

export interface Cause {
  code: string
  sentence: string
  facts?: unknown
}

export interface Step {
  id: string
  title: string
  kind: string
  state: 'pending' | 'ready' | 'leased' | 'running' | 'done' | 'failed' | 'indeterminate' | 'skipped'
  attempt?: string
  started?: Instant
  finished?: Instant
  worker?: string
  outcome?: string
  waiting_for?: string
  rollback?: boolean
}

export interface Instance {
  component: string
  name: string
  address: string
  worker: string
  version?: string
  state?: string
}

export interface VersionTraffic {
  component?: string
  version: string
  side: 'old' | 'new'
  requests: number
  errors: number
  p50_ms?: number
  p99_ms?: number
}

export interface CanaryPoint {
  at: Instant
  evidence: number
  estimate?: number
  low?: number
  high?: number
}

export interface Counts {
  n: number
  k: number
}

export interface CanaryMetric {
  metric: string
  verdict: string
  evidence: number
  limit: number
  estimate?: number
  baseline: Counts
  candidate: Counts
  points: CanaryPoint[]
}

export interface Canary {
  verdict: string
  sentence?: string
  metrics: CanaryMetric[]
}

export interface Run {
  id: string
  purpose: string
  release?: string
  service: string
  version: string
  previous_version?: string
  environment?: string
  zone?: string
  state: string
  result?: string
  started: Instant
  finished?: Instant
  by?: string
  cause?: Cause
  steps: Step[]
  weights: Record<string, Record<string, number>>
  traffic?: VersionTraffic[]
  canary?: Canary
  instances: Instance[]
  refusals?: Refusals
}

export interface LogChunk {
  text: string
  next_offset: number
  complete: boolean
}

export interface Envelope {
  project: string
  stream: string
  position: number
  prev: string
  type: string
  v: number
  at: number
  actor: string
  via: string
  body_digest: Digest
}

export interface LedgerEntry {
  index: number
  /** RFC 3339; the envelope has the same instant in microseconds, because that is what is hashed. */
  at: string
  leaf: Digest
  envelope: Envelope
  body?: unknown
  actor_name?: string
}

interface Round {
  round_at: Instant | null
  differences: string[]
}

/** What the server's background check has seen and found. */
export interface Scrub {
  verdict: 'sound' | 'damaged'
  ledger: Round & { next: number; facts: number }
  blobs: Round & { read: number }
}

export interface LedgerPage {
  entries: LedgerEntry[]
  size: number
  next_before?: number | null
}

export interface Checkpoint {
  size: number
  root: Digest
  at?: Instant
  note?: string
}

export interface InclusionProof {
  type: 'inclusion'
  leafIndex: number
  treeSize: number
  leafHash: string
  rootHash: string
  hashes: string[]
}

export interface Freeze {
  id: string
  name: string
  environments: string[]
  services: string[]
  from: Instant
  until: Instant
  reason?: string
  by?: string
  state: 'planned' | 'holds' | 'over' | 'lifted'
  refusals?: Refusals
}

export interface NewFreeze {
  name: string
  environments: string[]
  services: string[]
  from: Instant
  until: Instant
  reason: string
}

export interface Window {
  name: string
  kind: 'allow' | 'deny'
  rule: string
  start: string
  duration: string
  zone?: string
  sentence?: string
}

export interface Environment {
  name: string
  production: boolean
  zone: string
  order: number
  pool: string
  windows: Window[]
  workers?: number
  sentence?: string
}

export interface Person {
  handle: string
  name: string
  roles: string[]
  service_account: boolean
  retired?: boolean
  set_up?: boolean
  refusals?: Refusals
}

export interface Invite {
  link: string
  expires?: Instant
}

export interface Happened {
  index: number
  stream: string
  type: string
}
