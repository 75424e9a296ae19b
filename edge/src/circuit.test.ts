import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Circuit, type CircuitEvent, type CircuitState, circuitTable, type Pass } from './circuit.ts';

const bounds = {
  windowMs: 10_000,
  failuresMin: 5,
  inRowMin: 8,
  backOffMsMin: 500,
  backOffMsMax: 4_000,
  probeMs: 10_000,
};

function stageOf(random = () => 1 - Number.EPSILON) {
  let nowMs = 1_800_000_000_000;
  const circuit = new Circuit(bounds, () => nowMs, random);
  const begin = (): Pass => {
    const admission = circuit.admit();
    assert.ok(admission.passes);
    return admission.pass;
  };
  const waitMs = (): number => {
    const admission = circuit.admit();
    return admission.passes ? 0 : Math.ceil(admission.waitMs);
  };
  const call = (outcome: 'success' | 'failure', count = 1): void => {
    for (let at = 0; at < count; at++) circuit.settle(begin(), outcome);
  };
  return { circuit, begin, waitMs, call, pass: (ms: number) => (nowMs += ms) };
}

describe('the table of the circuit', () => {
  const cases: readonly (readonly [CircuitState, CircuitEvent, CircuitState])[] = [
    ['closed', 'success', 'closed'],
    ['closed', 'failure', 'closed'],
    ['closed', 'trip', 'open'],
    ['open', 'success', 'open'],
    ['open', 'failure', 'open'],
    ['open', 'retry', 'probing'],
    ['probing', 'success', 'closed'],
    ['probing', 'failure', 'open'],
    ['probing', 'lost', 'probing'],
  ];
  for (const [state, event, next] of cases) {
    it(`${state}, ${event}: ${next}`, () => assert.equal(circuitTable[state][event], next));
  }
});

describe('the circuit', () => {
  it('opens with the fifth failure, and says how long (B1, B2)', () => {
    const { circuit, call, waitMs } = stageOf();
    call('failure', 4);
    assert.equal(circuit.state, 'closed');
    call('failure');
    assert.deepEqual([circuit.state, waitMs()], ['open', 500]);
  });

  it('stays closed while most calls succeed, and forgets a window (B1)', () => {
    const { circuit, call, pass } = stageOf();
    call('success', 20);
    for (let round = 0; round < 5; round++) {
      call('failure', 4);
      call('success');
    }
    assert.equal(circuit.state, 'closed');
    pass(10_000);
    call('failure', 4);
    pass(10_000);
    call('failure', 4);
    assert.equal(circuit.state, 'closed');
    call('failure');
    assert.equal(circuit.state, 'open');
  });

  it('opens when the origin dies after many good calls (B1)', () => {
    const { circuit, call } = stageOf();
    call('success', 10_000);
    call('failure', 7);
    assert.equal(circuit.state, 'closed');
    call('failure');
    assert.equal(circuit.state, 'open');
  });

  it('lets one probe through; it closes the circuit, and the count begins anew (B3)', () => {
    const { circuit, begin, call, pass, waitMs } = stageOf();
    call('failure', 5);
    pass(500);
    const probe = begin();
    assert.deepEqual([circuit.state, waitMs()], ['probing', 10_000]);
    circuit.settle(probe, 'success');
    call('failure', 4);
    assert.equal(circuit.state, 'closed');
  });

  it('waits twice as long after every failed probe, up to a bound, and begins small again (B2)', () => {
    const { circuit, call, pass, waitMs } = stageOf();
    call('failure', 5);
    const waits: number[] = [];
    for (let probe = 0; probe < 6; probe++) {
      waits.push(waitMs());
      pass(4_000);
      call('failure');
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
    pass(4_000);
    call('success');
    assert.equal(circuit.state, 'closed');
    call('failure', 5);
    assert.equal(waitMs(), 500);
  });

  it('takes half to all of the back-off, by chance', () => {
    const { call, waitMs } = stageOf(() => 0);
    call('failure', 5);
    assert.equal(waitMs(), 250);
  });

  it('lets another probe through when nothing was heard of the first (B3)', () => {
    const { circuit, begin, call, pass, waitMs } = stageOf();
    call('failure', 5);
    pass(500);
    const lost = begin();
    pass(9_999);
    assert.equal(waitMs(), 1);
    pass(1);
    const probe = begin();
    circuit.settle(lost, 'failure');
    assert.equal(circuit.state, 'probing');
    circuit.settle(probe, 'success');
    assert.equal(circuit.state, 'closed');
  });

  it('does not listen to stragglers (B4)', () => {
    const { circuit, begin, call, pass } = stageOf();
    const early = Array.from({ length: 6 }, begin);
    call('failure', 5);
    circuit.settle(early[0] as Pass, 'success');
    assert.equal(circuit.state, 'open');
    pass(500);
    const probe = begin();
    circuit.settle(early[1] as Pass, 'success');
    assert.equal(circuit.state, 'probing');
    circuit.settle(probe, 'success');
    for (const pass of early.slice(2)) circuit.settle(pass, 'failure');
    call('failure', 1);
    assert.equal(circuit.state, 'closed');
  });
});
