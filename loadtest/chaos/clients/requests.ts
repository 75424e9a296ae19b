/** What a wish is on the wire. */
import type { Wish } from '../history.ts';

export interface WireRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: object | null;
}

export function requestOf({ operation, walletId, toWalletId, target, amount }: Wish): WireRequest {
  const some = amount === null ? {} : { amount };
  switch (operation) {
    case 'balance':
      return { method: 'GET', path: `/v1/wallets/${walletId}/balance`, body: null };
    case 'earn':
    case 'burn':
      return { method: 'POST', path: `/v1/wallets/${walletId}/${operation}`, body: some };
    case 'hold':
      return { method: 'POST', path: `/v1/wallets/${walletId}/holds`, body: some };
    case 'capture':
      return { method: 'POST', path: `/v1/holds/${target}/capture`, body: some };
    case 'release':
      return { method: 'POST', path: `/v1/holds/${target}/release`, body: {} };
    case 'reverse':
      return { method: 'POST', path: `/v1/transactions/${target}/reverse`, body: some };
    case 'transfer': {
      const body = { from_wallet_id: walletId, to_wallet_id: toWalletId, ...some };
      return { method: 'POST', path: '/v1/transfers', body };
    }
  }
}
