// All rows of the board, page by page, read again when something happens.

import { useCallback, useEffect, useRef, useState } from 'react'
import { asRefusal, read } from '../../api/client'
import { useHappened } from '../../api/live'
import { anything } from '../../api/resource'
import type { Board, BoardRow, Refusal } from '../../api/types'

const GAP_MS = 500
let kept: Board | undefined

async function readAll(signal: AbortSignal, first: (board: Board) => void): Promise<Board> {
  let board = await read<Board>('/v1/board', signal)
  const rows: BoardRow[] = [...board.rows]
  first(board)
  while (board.next_cursor) {
    board = await read<Board>(`/v1/board?cursor=${encodeURIComponent(board.next_cursor)}`, signal)
    rows.push(...board.rows)
  }
  return { ...board, rows }
}

export function useBoard() {
  const [board, setBoard] = useState(kept)
  const [refusal, setRefusal] = useState<Refusal>()
  const busy = useRef<AbortController | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const load = useCallback(async () => {
    busy.current?.abort()
    const mine = (busy.current = new AbortController())
    try {
      const all = await readAll(mine.signal, (first) => kept || setBoard(first))
      if (mine.signal.aborted) return
      kept = all
      setBoard(all)
      setRefusal(undefined)
    } catch (fault) {
      if (!mine.signal.aborted) setRefusal(asRefusal(fault))
    }
  }, [])
  const soon = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      void load()
    }, GAP_MS)
  }, [load])
  useEffect(() => {
    void load()
    return () => {
      busy.current?.abort()
      clearTimeout(timer.current)
      timer.current = undefined
    }
  }, [load])
  useHappened(anything, soon)
  return { data: board, refusal, at: 0, again: load }
}
