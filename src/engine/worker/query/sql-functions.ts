/** Functions that a user's SQL may call: they read nothing, keep nothing, and answer the same. */
const NAMES = [
  // Operators, by the names that the parser gives them.
  ...['+', '-', '*', '/', '//', '%', '^', '**', '||', '&', '|', '~', '<<', '>>', '~~', '!~~'],
  ...['~~*', '!~~*', '~~~', 'like_escape', 'not_like_escape', 'ilike_escape'],
  ...['not_ilike_escape', 'regexp_full_match', '^@'],
  // Numbers.
  ...['abs', 'ceil', 'ceiling', 'floor', 'round', 'trunc', 'sqrt', 'cbrt', 'exp', 'ln', 'log'],
  ...['log10', 'log2', 'pow', 'power', 'sign', 'mod', 'greatest', 'least', 'gcd', 'lcm', 'pi'],
  ...['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'atan2', 'degrees', 'radians', 'isnan'],
  ...['isinf', 'isfinite', 'even', 'bit_count'],
  // Texts and bytes.
  ...['lower', 'upper', 'lcase', 'ucase', 'length', 'len', 'strlen', 'trim', 'ltrim', 'rtrim'],
  ...['substring', 'substr', 'left', 'right', 'replace', 'reverse', 'starts_with', 'ends_with'],
  ...['prefix', 'suffix', 'contains', 'strpos', 'instr', 'position', 'concat', 'concat_ws'],
  ...['split_part', 'string_split', 'regexp_matches', 'regexp_replace', 'regexp_extract'],
  ...['ascii', 'chr', 'hex', 'unhex', 'base64', 'from_base64', 'md5', 'sha256', 'hash', 'encode'],
  ...['decode', 'levenshtein', 'jaccard', 'octet_length', 'bit_length'],
  // Times.
  ...['date_trunc', 'date_part', 'datepart', 'date_diff', 'datediff', 'date_sub', 'year', 'month'],
  ...['day', 'hour', 'minute', 'second', 'quarter', 'week', 'weekday', 'dayofweek', 'dayofyear'],
  ...['isodow', 'isoyear', 'last_day', 'dayname', 'monthname', 'strftime', 'strptime'],
  ...['try_strptime', 'epoch', 'epoch_ms', 'epoch_us', 'epoch_ns', 'make_date', 'make_time'],
  ...['make_timestamp', 'to_timestamp', 'timezone', 'to_years', 'to_months', 'to_weeks', 'to_days'],
  ...['to_hours', 'to_minutes', 'to_seconds', 'to_milliseconds', 'to_microseconds', 'time_bucket'],
  // Values of any type.
  ...['coalesce', 'nullif', 'ifnull', 'if', 'constant_or_null'],
  // Lists, maps and structs, as they are.
  ...['list_value', 'list_contains', 'list_has', 'array_contains', 'list_extract', 'list_element'],
  ...['array_extract', 'array_length', 'list_position', 'list_min', 'list_max', 'list_sum'],
  ...['list_slice', 'array_slice', 'list_sort', 'list_distinct', 'array_to_string', 'element_at'],
  ...['map_extract', 'map_keys', 'map_values', 'map_contains', 'cardinality', 'struct_extract'],
  ...['struct_pack', 'row'],
  // Aggregates.
  ...['count', 'count_star', 'count_if', 'sum', 'avg', 'mean', 'min', 'max', 'median', 'mode'],
  ...['quantile_cont', 'quantile_disc', 'stddev', 'stddev_samp', 'stddev_pop', 'variance'],
  ...['var_samp', 'var_pop', 'corr', 'covar_pop', 'covar_samp', 'regr_slope', 'regr_intercept'],
  ...['approx_count_distinct', 'approx_quantile', 'arg_min', 'arg_max', 'min_by', 'max_by'],
  ...['any_value', 'first', 'last', 'bool_and', 'bool_or', 'bit_and', 'bit_or', 'bit_xor'],
  ...['string_agg', 'listagg', 'group_concat', 'list', 'array_agg', 'product', 'skewness'],
  ...['kurtosis', 'entropy', 'fsum', 'favg', 'grouping', 'grouping_id'],
  // Windows.
  ...['row_number', 'rank', 'dense_rank', 'percent_rank', 'cume_dist', 'ntile', 'lag', 'lead'],
  ...['first_value', 'last_value', 'nth_value'],
]

export const SQL_FUNCTIONS: ReadonlySet<string> = new Set(NAMES)
