// Every gate before an environment, never only the first: state, sentence, what would open it, and the atoms.

import type { Gate, ReleaseEnvironment } from '../../api/types'
import { DigestText } from '../../parts/DigestText'
import { Status } from '../../parts/Status'
import { When } from '../../parts/When'
import { Link } from '../../router'
import { sentence } from '../../words/figures'

const ORDER = { shut: 0, waiting: 1, open: 2 }

export function Gates({ environment, to }: { environment: ReleaseEnvironment; to: (section: string) => string }) {
  const { report } = environment
  const gates = [...report.gates].sort((a, b) => ORDER[a.state] - ORDER[b.state])
  const closed = gates.filter((gate) => gate.state !== 'open').length
  return (
    <section className="block" aria-labelledby="gates">
      <div className="head">
        <h2 id="gates">Gates before {environment.name}</h2>
        <Status state={report.verdict} strong word={closed ? `${sentence(report.verdict)}: ${closed} of ${gates.length} not open` : `Open: all ${gates.length}`} />
      </div>
      <p className="dim">
        Asked <When at={report.at} zone={environment.zone} /> about manifest <DigestText digest={report.manifest_digest} what="manifest digest" /> and evidence root{' '}
        <DigestText digest={report.evidence_root} what="evidence root" />
        {report.next_start && (
          <>
            . Next possible start: <When at={report.next_start} zone={environment.zone} />
          </>
        )}
      </p>
      {gates.length === 0 ? (
        <p className="empty">The pipeline asks for nothing here.</p>
      ) : (
        <ul className="gates">
          {gates.map((gate) => (
            <GateRow key={gate.gate} gate={gate} approvals={to('approvals')} />
          ))}
        </ul>
      )}
    </section>
  )
}

function GateRow({ gate, approvals }: { gate: Gate; approvals: string }) {
  return (
    <li className={`gate ${gate.state}`} data-gate={gate.gate}>
      <Status state={gate.state} />
      <div>
        <h3>
          {gate.title} {gate.code && <code className="code">{gate.code}</code>}
        </h3>
        <p>{gate.sentence}</p>
        {gate.unblock && (
          <p className="unblock">
            <span className="dim">What would open it:</span> {gate.unblock}
          </p>
        )}
        {gate.gate.startsWith('approval') && gate.state !== 'open' && <Link to={approvals}>See what is approved</Link>}
        {gate.atoms.length > 0 && (
          <details open={gate.state !== 'open' && gate.atoms.length > 1}>
            <summary>
              {gate.atoms.filter((atom) => atom.light === 'open').length} of {gate.atoms.length} conditions met
            </summary>
            <ul className="atoms">
              {gate.atoms.map((atom, i) => (
                <li key={i}>
                  <Status state={atom.light} word={atom.light === 'open' ? 'Met' : sentence(atom.light)} />
                  <span>
                    {atom.text}
                    {atom.unblock && atom.unblock !== gate.unblock && <span className="unblock"> · {atom.unblock}</span>}
                  </span>
                </li>
              ))}
            </ul>
          </details>
        )}
      </div>
    </li>
  )
}
