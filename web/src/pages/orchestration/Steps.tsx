// The steps of a run in order, each with its log by address (?step=…).

import type { Run, Step } from '../../api/types'
import { Status } from '../../parts/Status'
import { When } from '../../parts/When'
import { Link, useAddress } from '../../router'
import { span } from '../../words/time'
import { StepLog } from './StepLog'

const NOW = new Set(['leased', 'running', 'indeterminate'])

function took(step: Step): string {
  if (!step.started) return ''
  return span((step.finished ? Date.parse(step.finished) : Date.now()) - Date.parse(step.started))
}

/** The step in the address; else the one that moves, else the one that failed, else the last that was tried. */
function chosen(run: Run, asked: string | null): Step | undefined {
  const tried = run.steps.filter((step) => step.attempt)
  return run.steps.find((step) => step.id === asked) ?? tried.find((step) => NOW.has(step.state)) ?? tried.find((step) => step.state === 'failed') ?? tried.at(-1)
}

export function Steps({ run }: { run: Run }) {
  const asked = useAddress().searchParams.get('step')
  const shown = chosen(run, asked)
  const over = run.steps.filter((step) => step.state === 'done' || step.state === 'skipped').length
  return (
    <section className="block">
      <h2>
        Steps <span className="dim">{`${over} of ${run.steps.length} over`}</span>
      </h2>
      <div className="steps-and-log">
        <ol className="steps">
          {run.steps.map((step) => (
            <li key={step.id} className={`step ${step.state}${step.rollback ? ' way-back' : ''}`} aria-current={NOW.has(step.state) ? 'step' : undefined}>
              <Status state={step.state} />
              <div>
                <p className="step-title">
                  {step.attempt ? (
                    <Link data-row="" to={`?step=${encodeURIComponent(step.id)}`} aria-current={step === shown ? 'true' : undefined}>
                      {step.title}
                    </Link>
                  ) : (
                    step.title
                  )}
                  {step.rollback && <span className="tag">way back</span>}
                </p>
                {step.waiting_for && <p className="wait-for">Waits for {step.waiting_for}</p>}
                {step.outcome && <p className="dim">{step.outcome}</p>}
                <p className="dim">
                  {step.started && <When at={step.started} zone={run.zone} />} {step.worker && `on ${step.worker}`}
                </p>
              </div>
              <span className="number">{took(step)}</span>
            </li>
          ))}
        </ol>
        {shown && <StepLog key={`${shown.id} ${shown.attempt ?? ''}`} run={run.id} step={shown} />}
      </div>
    </section>
  )
}
