// What a customer does, kept while the session lasts.

export interface Visit {
  readonly path: string
  readonly at: Date
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface SessionStore {
  readonly size: number
  visit (id: string, visit: Visit): Session
}

export class Session {
  readonly visits: Visit[] = []

  constructor (readonly id: string, readonly basket: number[]) {}
}

type Clock = () => number

/** Sessions in memory; with `lifetime`, until they have not been used for so long. */
export class MemoryStore implements SessionStore {
  readonly #sessions = new Map<string, { session: Session, used: number }>()

  constructor (private readonly lifetime = Infinity, private readonly now: Clock = Date.now) {}

  get size (): number {
    return this.#sessions.size
  }

  visit (id: string, visit: Visit): Session {
    this.#forget()
    const session = this.#sessions.get(id)?.session ?? this.create(id)
    session.visits.push(visit)
    // Deleted first: a Map keeps its order, and so the longest unused comes first.
    this.#sessions.delete(id)
    this.#sessions.set(id, { session, used: this.now() })
    return session
  }

  create (id: string): Session {
    return new Session(id, Array.from({ length: 500 }, (_, i) => i))
  }

  #forget (): void {
    for (const [id, { used }] of this.#sessions) {
      if (this.now() - used < this.lifetime) return
      this.#sessions.delete(id)
    }
  }
}
