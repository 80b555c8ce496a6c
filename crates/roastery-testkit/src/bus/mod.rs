//! What every bus promises, as tests that run on any kind of bus.

pub mod channels;
pub mod kinds;
pub mod promises;
pub mod topics;
pub mod waiting;

/// A test of each promise, on the kind of bus that an expression makes.
#[macro_export]
macro_rules! bus_contract {
    (#[$test:meta] $kind:expr) => {
        $crate::bus_contract! { @of #[$test] $kind;
            each_peer_sees_every_other_connect_once
            a_message_carries_the_name_of_the_peer_that_sent_it
            everyone_is_all_the_others_and_not_oneself
            a_message_to_one_peer_reaches_no_other
            a_message_may_have_as_many_bytes_as_the_cap_and_not_one_more
            a_message_to_a_peer_that_is_none_is_refused_with_the_reason
            a_peer_that_leaves_is_seen_to_leave_after_all_that_it_said
            a_peer_that_left_is_seen_to_come_back
            a_flood_loses_only_the_flooders_own_and_is_counted
            a_reader_that_never_reads_blocks_no_sender_and_costs_bounded_memory
            a_receive_that_is_given_up_loses_nothing
            a_message_that_is_sent_again_until_it_is_answered_arrives
            a_task_can_own_a_bus_through_the_trait_alone
        }
    };
    (@of #[$test:meta] $kind:expr; $($promise:ident)*) => {
        $(#[$test]
        async fn $promise() {
            $crate::bus::promises::$promise(&$kind).await;
        })*
    };
}
