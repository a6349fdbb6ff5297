import { BrokerError } from '../../base/index.ts';

/** A new member was given an id and must join again with it (KIP-394), so that a lost answer leaves no ghost. */
export class MemberIdRequired extends BrokerError {
  readonly memberId: string;

  constructor(memberId: string) {
    super('member-id-required');
    this.memberId = memberId;
  }
}
