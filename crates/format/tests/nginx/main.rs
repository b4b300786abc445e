//! Lines as Nginx writes them, read by [`CompiledFormat`](floodmark_format::CompiledFormat) and by a slow reference.

mod agreement;
mod corpus;
mod differential;
mod formats;
mod reference;
mod shared_data;
mod targets;
mod values;
mod writer;
