// One line for a report: the server's own, else the first gate that is not open.

import type { GateReport } from '../../api/types'

export function headlineOf(report: GateReport): string {
  if (report.headline) return report.headline
  const gate = report.gates.find((one) => one.state === report.verdict && one.state !== 'open')
  return gate ? `${gate.title}: ${gate.sentence}` : 'Every gate is open.'
}
