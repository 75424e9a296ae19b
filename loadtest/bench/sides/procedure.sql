-- The same as the row-locking transaction, as one stored procedure: one round trip, committed by itself.

create function post_transaction(
  p_id uuid, p_account_id uuid, p_kind text, p_amount bigint, p_key text, p_hash bytea, p_request_id uuid,
  p_reference text, p_metadata json, p_now timestamptz,
  out outcome text, out id uuid, out version bigint, out balance_after bigint, out held_after bigint,
  out request_hash bytea, out created_at timestamptz
) language plpgsql as $$
declare
  account record;
  delta bigint := case p_kind when 'earn' then p_amount else -p_amount end;
begin
  select a.program_id, a.balance, a.held, a.version into account from accounts as a where a.id = p_account_id for update;
  if not found then
    outcome := 'not_found';
    return;
  end if;
  select t.id, t.version, t.balance_after, t.held_after, t.request_hash, t.created_at
    into id, version, balance_after, held_after, request_hash, created_at
    from transactions as t where t.account_id = p_account_id and t.idempotency_key = p_key;
  if found then
    outcome := 'known';
    return;
  end if;
  if account.balance + delta - account.held < 0 then
    outcome := 'insufficient_funds';
    return;
  end if;
  outcome := 'posted';
  id := p_id;
  version := account.version + 1;
  balance_after := account.balance + delta;
  held_after := account.held;
  request_hash := p_hash;
  created_at := p_now;
  insert into transactions (id, account_id, version, kind, amount, balance_after, held_after, idempotency_key,
                            request_hash, correlation_id, reference, metadata, created_at)
    values (p_id, p_account_id, account.version + 1, p_kind, p_amount, account.balance + delta, account.held, p_key,
            p_hash, p_request_id, p_reference, p_metadata, p_now);
  insert into entries (transaction_id, account_id, amount, created_at)
    values (p_id, p_account_id, delta, p_now), (p_id, '00000000-0000-8000-8000-000000000001', -delta, p_now);
  update accounts as a set balance = account.balance + delta, version = account.version + 1, updated_at = p_now
    where a.id = p_account_id;
  insert into outbox (aggregate_type, aggregate_id, event_type, payload, created_at)
    values ('account', p_account_id, 'ledger.transaction.posted', jsonb_build_object(
      'id', p_id, 'wallet_id', p_account_id, 'kind', p_kind, 'amount', p_amount, 'unit', 'PTS',
      'balance_after', account.balance + delta, 'held_after', account.held, 'version', account.version + 1,
      'reference', p_reference, 'reversal_of', null, 'metadata', p_metadata, 'created_at', p_now,
      'program_id', account.program_id, 'balance_delta', delta), p_now);
end
$$;
