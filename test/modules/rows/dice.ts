/** Numbers that are the same in each run. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** From 0 up to `sides`. */
  roll(sides: number): number {
    this.#state = (this.#state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((this.#state / 2_147_483_648) * sides)
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.roll(choices.length)] as T
  }
}
