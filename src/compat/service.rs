//! The services that this service can stand in for.

use super::host_names::HostNames;

/// A service whose routes can be answered here, for pages that still name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// CountAPI (`api.countapi.xyz`).
    CountApi,
    /// The badges of `hits.seeyoufarm.com`.
    SeeYouFarm,
    /// The badges of `hits.dwyl.com`.
    Dwyl,
    /// Busuanzi (`busuanzi.ibruce.info`).
    Busuanzi,
    /// The badges of `visitor-badge`.
    VisitorBadge,
    /// The badges of `komarev.com/ghpvc`.
    Komarev,
}

impl Service {
    /// All services.
    pub const ALL: [Service; 6] = [
        Service::CountApi,
        Service::SeeYouFarm,
        Service::Dwyl,
        Service::Busuanzi,
        Service::VisitorBadge,
        Service::Komarev,
    ];

    /// The name of the service, by which the settings know it.
    pub fn word(self) -> &'static str {
        match self {
            Service::CountApi => "countapi",
            Service::SeeYouFarm => "seeyoufarm",
            Service::Dwyl => "dwyl",
            Service::Busuanzi => "busuanzi",
            Service::VisitorBadge => "visitor_badge",
            Service::Komarev => "komarev",
        }
    }
}

/// The host names on which the routes of each service are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompatHosts([HostNames; Service::ALL.len()]);

impl CompatHosts {
    /// The host names on which the routes of this service are answered.
    pub fn of(&self, service: Service) -> &HostNames {
        &self.0[service as usize]
    }

    /// Replaces the host names of one service.
    pub fn set(&mut self, service: Service, names: HostNames) {
        self.0[service as usize] = names;
    }
}
